-- A token may have so many capabilities: they are counted whenever it grants another. Expired ones are deleted by the sweeper.
CREATE INDEX capabilities_grantor ON capabilities (granted_by);
