/** Where the tool's file is once it was fetched. */
export function toolPlace(name: string): string;
