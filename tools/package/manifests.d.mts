export const kBackends: readonly string[];
export function packageName(platform: string, backend?: string): string;
