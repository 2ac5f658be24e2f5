"""Trains a reference, watches it through lost connections, maps the data and fine-tunes on the ambiguous third.

python train.py HOST:PORT DATASET MODEL          TLS with FTFT_CA_FILE, a token in FTFT_TOKEN
"""
import os
import sys
import time
from array import array

import grpc
from ftft.v1 import data_map_pb2, dynamics_pb2, ftft_service_pb2 as ftft, run_pb2
from ftft.v1.ftft_service_pb2_grpc import FtftServiceStub

TRANSIENT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED}  # the server restarts, drains, or found us slow
TERMINAL = {run_pb2.Run.STATE_SUCCEEDED, run_pb2.Run.STATE_FAILED, run_pb2.Run.STATE_CANCELLED}


def connect(address):
    options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 2000)]
    if ca := os.environ.get("FTFT_CA_FILE"):
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(open(ca, "rb").read()), options)
    return grpc.insecure_channel(address, options)


def watch(service, name, metadata):
    """Epochs as they are committed; after a lost connection the stream goes on behind the last event."""
    token, epochs, p_true = "", {}, array("f")
    while True:
        request = dynamics_pb2.StreamDynamicsRequest(name=name, resume_token=token)
        try:
            for message in service.StreamDynamics(request, metadata=metadata):
                kind = message.WhichOneof("event")
                if kind == "epoch_started":
                    p_true = array("f")
                elif kind == "chunk":
                    p_true.frombytes(message.chunk.p_true)  # little-endian float32, one an instance
                elif kind == "epoch_committed":  # only now is the epoch whole
                    epochs[message.epoch_committed.epoch] = sum(p_true) / len(p_true)
                    print(f"epoch {message.epoch_committed.epoch}: mean p_true {sum(p_true) / len(p_true):.4f}", flush=True)
                elif kind == "epochs_discarded":  # a worker was lost: these epochs will come again
                    epochs = {e: mean for e, mean in epochs.items() if e < message.epochs_discarded.first_epoch}
                elif kind == "completed":
                    return message.completed.run, epochs
                token = message.resume_token
        except grpc.RpcError as error:
            if error.code() not in TRANSIENT:
                raise
            print("connection lost, going on", file=sys.stderr)
            time.sleep(0.2)


def wait(service, run, metadata):
    while run.state not in TERMINAL:
        try:
            run = service.WaitRun(ftft.WaitRunRequest(name=run.name, etag=run.etag), metadata=metadata, timeout=60)
        except grpc.RpcError as error:
            if error.code() not in TRANSIENT | {grpc.StatusCode.DEADLINE_EXCEEDED}:
                raise
            time.sleep(0.2)
    return run


def main(address, dataset, model):
    service = FtftServiceStub(connect(address))
    metadata = [("authorization", f"Bearer {token}")] if (token := os.environ.get("FTFT_TOKEN")) else []
    spec = run_pb2.TrainingSpec(dataset=dataset, model=model, epochs=3, batch_size=8, learning_rate=1e-3, max_length=16)
    reference = service.TrainReference(ftft.TrainReferenceRequest(spec=spec), metadata=metadata).run
    reference, epochs = watch(service, reference.name, metadata)
    print(f"reference: {run_pb2.Run.State.Name(reference.state)}, {len(epochs)} epochs")

    selection = data_map_pb2.Selection(region=data_map_pb2.REGION_AMBIGUOUS, fraction=0.33, rule="RULE_RANK")
    built = service.BuildDataMap(ftft.BuildDataMapRequest(run=reference.name, selection=selection), metadata=metadata)
    print(f"map: {built.data_map.selected_count} of {built.data_map.instance_count} selected")

    request = ftft.FineTuneMainRequest(data_map=built.data_map.name, spec=spec)
    main_run = wait(service, service.FineTuneMain(request, metadata=metadata).run, metadata)
    print(f"main: {run_pb2.Run.State.Name(main_run.state)}, {main_run.progress.steps} steps")


if __name__ == "__main__":
    main(*sys.argv[1:])
