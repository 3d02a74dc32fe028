// What all of our HTTP servers have in common.

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { AddressInfo } from "node:net";
import { closeHttp, listenHttp, sendAsset } from "../lib/web_socket/http.ts";
import { encode } from "./_support.ts";

Deno.test("listenHttp() takes one request of a connection, however many come at once", async () => {
  const server = await listenHttp({ host: "127.0.0.1", port: 0, connectionsMax: 4 });
  let asked = 0;
  server.on("request", (_request, response) => {
    asked++;
    sendAsset(response, 200, { type: "text/plain", bytes: "answer" });
  });
  const { port } = server.address() as AddressInfo;
  const connection = await Deno.connect({ port });
  await connection.write(encode("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(500)));
  // Ends with the answer, or is reset, as there was more to read.
  await connection.readable.pipeTo(new WritableStream()).catch(() => {});
  assertEquals(asked, 1);
  await closeHttp(server);
});

Deno.test("listenHttp() answers who has asked while its process stood still", async () => {
  const server = await listenHttp({ host: "127.0.0.1", port: 0, connectionsMax: 4 });
  server.on("request", (_request, response) => {
    sendAsset(response, 200, { type: "text/plain", bytes: "answer" });
  });
  const accepted = new Promise((resolve) => server.once("connection", resolve));
  const { port } = server.address() as AddressInfo;
  const connection = await Deno.connect({ port });
  await accepted;
  await connection.write(encode("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
  // Longer than a request may take to come, which it has.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 7_000);
  assertStringIncludes(await new Response(connection.readable).text(), "answer");
  await closeHttp(server);
});
