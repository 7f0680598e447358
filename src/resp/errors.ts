/** Error texts that are sent outside a command's reply. */
export const MAXCLIENTS_REACHED = "ERR max number of clients reached";
export const PROTOCOL_ERROR_PREFIX = "ERR Protocol error: ";
