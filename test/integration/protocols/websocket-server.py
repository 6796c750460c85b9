"""A WebSocket server (python3-websockets) that does as it is told by the messages it gets.

websocket-server.py PORT
"""

import asyncio
import sys

import websockets


async def serve(socket):
    try:
        async for message in socket:
            if message == "ping me":
                await (await socket.ping())
                await socket.send("a pong came")
            elif message == "close me":
                await socket.close(4001, "as you said")
            else:
                await socket.send(message)
    finally:
        print("closed with", socket.close_code, socket.close_reason, flush=True)


async def main():
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1]), max_size=None):
        await asyncio.Future()


asyncio.run(main())
