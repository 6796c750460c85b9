"""A gRPC server, or a client that says what it saw as JSON: gRPC's C core, without protobuf.

grpc-peer.py serve PORT | call PORT
"""

import json
import sys
from concurrent import futures

import grpc

WORDS = 2000
OPTIONS = [("grpc.max_receive_message_length", -1)]


def echo(request, context):
    context.set_trailing_metadata((("x-length", str(len(request))),))
    return request


def refuse(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: " + request.decode())


def talk(requests, context):
    for request in requests:
        yield b"heard " + request


def wait(request, context):
    context.add_callback(lambda: print("the call is over", flush=True))
    while context.is_active():
        yield b"still here"


def serve(port):
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
        "Wait": grpc.unary_stream_rpc_method_handler(wait),
    }
    server = grpc.server(futures.ThreadPoolExecutor(8), options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Peer", handlers),))
    server.add_insecure_port("127.0.0.1:" + port)
    server.start()
    server.wait_for_termination()


def call(port):
    seen = {}
    channel = grpc.insecure_channel("127.0.0.1:" + port, options=OPTIONS)

    message = bytes(range(256)) * 16384
    answer, details = channel.unary_unary("/test.Peer/Echo").with_call(message, timeout=20)
    seen["unary"] = answer == message
    seen["trailer"] = dict(details.trailing_metadata())["x-length"]

    try:
        channel.unary_unary("/test.Peer/Refuse")(b"me", timeout=20)
    except grpc.RpcError as error:
        seen["refusal"] = [error.code().name, error.details()]

    # Each word is sent once the one before was answered.
    answers = []
    turns = [futures.Future() for _ in range(WORDS)]

    def words():
        for turn in range(WORDS):
            if turn > 0:
                turns[turn - 1].result(timeout=20)
            yield b"%d" % turn

    for answer in channel.stream_stream("/test.Peer/Talk")(words(), timeout=20):
        turns[len(answers)].set_result(None)
        answers.append(answer)
    seen["turns"] = answers == [b"heard %d" % turn for turn in range(WORDS)]

    endless = channel.unary_stream("/test.Peer/Wait")(b"", timeout=20)
    next(endless)
    endless.cancel()
    seen["cancelled"] = endless.code().name
    channel.close()
    print(json.dumps(seen))


{"serve": serve, "call": call}[sys.argv[1]](sys.argv[2])
