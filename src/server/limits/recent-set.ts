/** The members that were added last, `limit` at most: memory stays bounded whoever sends what. */
export function createRecentSet(limit: number, onEvict: (member: string) => void = () => {}) {
  const members = new Set<string>();
  return {
    /** Also makes a member that there is the latest. */
    add(member: string): void {
      members.delete(member);
      members.add(member);
      const [oldest] = members;
      if (members.size <= limit || oldest === undefined) return;
      members.delete(oldest);
      onEvict(oldest);
    },
    has: (member: string): boolean => members.has(member),
    delete: (member: string): boolean => members.delete(member),
  };
}
