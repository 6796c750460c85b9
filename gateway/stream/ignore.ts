/** Listens to `error` where `close` follows and decides: without a listener it would end the process. */
export function ignore(): void {}
