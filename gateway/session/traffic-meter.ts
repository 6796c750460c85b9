/** Bytes in each direction. */
export interface Traffic {
  sentBytes: number;
  receivedBytes: number;
}

/** What a socket counts, of TLS the bytes inside of it. */
interface CountingSocket {
  readonly bytesWritten: number;
  readonly bytesRead: number;
}

/** Tells what went over a socket since it was asked last. */
export class TrafficMeter {
  readonly #socket: CountingSocket;
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(socket: CountingSocket) {
    this.#socket = socket;
  }

  take(): Traffic {
    const { bytesWritten, bytesRead } = this.#socket;
    const traffic = {
      sentBytes: bytesWritten - this.#sentBytes,
      receivedBytes: bytesRead - this.#receivedBytes,
    };
    this.#sentBytes = bytesWritten;
    this.#receivedBytes = bytesRead;
    return traffic;
  }
}
