/** Keeps the members that were added last, `limit` at most, so that no client can fill the memory. */
export function createRecentSet(limit: number, onEvict: (member: string) => void = () => {}) {
  const members = new Set<string>();
  return {
    /** Adds a member, or makes one that is there the latest. */
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
