/** The interpreter of the environment that `npm run clients:python` makes; it may not be there. */
export const pythonPlace: string;
