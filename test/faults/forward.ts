import type { IncomingMessage, ServerResponse } from "node:http";
import { type Agent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProxiedRequest } from "./proxied-request.ts";

/** What becomes of an answer on its way back; a request may wait before it is passed on. */
export type ForwardFault =
  /** The head of the answer is passed on, its body is swallowed. */
  | { type: "silence" }
  /** Half of the first piece of the body is passed on, then the connection is destroyed. */
  | { type: "cut" }
  /** The body begins with these bytes instead of the server's, and ends there. */
  | { type: "body"; text: string }
  /** The request waits for so long before it is passed on. */
  | { type: "delay"; ms: number }
  /** Query parameters of the request, and the JSON of the answer, each event of a watch for itself, are changed. */
  | {
      type: "edit";
      query?: (query: URLSearchParams) => void;
      json?: (text: string) => string;
    };

/** Passes a request on to `server` and its answer back, as far as the fault lets it. */
export async function forward(
  server: string,
  agent: Agent,
  asked: ProxiedRequest,
  incoming: IncomingMessage,
  response: ServerResponse,
  fault: ForwardFault | undefined,
): Promise<void> {
  if (fault?.type === "delay") await sleep(fault.ms);
  const url = new URL(incoming.url ?? "/", server);
  if (fault?.type === "edit") fault.query?.(url.searchParams);
  const onward = httpsRequest(url, {
    agent,
    method: incoming.method ?? "GET",
    headers: { ...incoming.headers, host: new URL(server).host },
  });
  onward.on("error", () => incoming.socket.destroy());
  response.on("close", () => onward.destroy());
  onward.on("response", (answer) => {
    answer.on("error", () => incoming.socket.destroy());
    const { "content-length": _length, ...headers } = answer.headers;
    response.writeHead(answer.statusCode ?? 502, fault?.type === "edit" ? headers : answer.headers);
    response.flushHeaders();
    if (fault?.type === "body") {
      response.end(fault.text);
      onward.destroy();
    } else if (fault?.type === "silence") {
      answer.resume();
    } else if (fault?.type === "cut") {
      answer.once("data", (piece: Buffer) => {
        response.write(piece.subarray(0, Math.ceil(piece.length / 2)), () =>
          incoming.socket.destroy(),
        );
      });
    } else if (fault?.type === "edit" && fault.json !== undefined) {
      edit(answer, response, fault.json, asked.verb === "watch");
    } else {
      answer.pipe(response);
    }
  });
  incoming.pipe(onward);
}

/** Line by line as they arrive, or the whole at its end. */
function edit(
  answer: IncomingMessage,
  response: ServerResponse,
  json: (text: string) => string,
  byLine: boolean,
): void {
  let pending = "";
  answer.setEncoding("utf8");
  answer.on("data", (piece: string) => {
    pending += piece;
    if (!byLine) return;
    const lines = pending.split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) response.write(`${json(line)}\n`);
  });
  answer.on("end", () => response.end(pending === "" ? "" : json(pending)));
}
