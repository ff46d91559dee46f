/** Where the clients of Node 22 lie, once they were fetched. */
export const clientsFolder: string;
