package dev.ftft.example;

import dev.ftft.v1.*;
import io.grpc.*;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.*;

/** Trains a reference, watches it through lost connections, maps the data and fine-tunes on the ambiguous third. */
public class Train {
  static final Set<Status.Code> TRANSIENT = EnumSet.of(Status.Code.UNAVAILABLE, Status.Code.ABORTED);
  static final Set<Run.State> TERMINAL =
      EnumSet.of(Run.State.STATE_SUCCEEDED, Run.State.STATE_FAILED, Run.State.STATE_CANCELLED);

  /** HOST:PORT DATASET MODEL; TLS with FTFT_CA_FILE, a token in FTFT_TOKEN. */
  public static void main(String[] args) throws Exception {
    String ca = System.getenv("FTFT_CA_FILE"), token = System.getenv("FTFT_TOKEN");
    ChannelCredentials credentials = ca == null
        ? InsecureChannelCredentials.create()
        : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
    ManagedChannel channel = Grpc.newChannelBuilder(args[0], credentials).build();
    Metadata headers = new Metadata();
    if (token != null) headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    var service = FtftServiceGrpc.newBlockingStub(channel)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));

    TrainingSpec spec = TrainingSpec.newBuilder().setDataset(args[1]).setModel(args[2])
        .setEpochs(3).setBatchSize(8).setLearningRate(1e-3).setMaxLength(16).build();
    Run queued = service.trainReference(TrainReferenceRequest.newBuilder().setSpec(spec).build()).getRun();
    Map<Integer, Double> epochs = new TreeMap<>();
    Run reference = watch(service, queued.getName(), epochs);
    System.out.printf("reference: %s, %d epochs%n", reference.getState(), epochs.size());

    Selection selection = Selection.newBuilder().setRegion(Region.REGION_AMBIGUOUS).setFraction(0.33)
        .setRule(Selection.Rule.RULE_RANK).build();
    DataMap map = service.buildDataMap(
        BuildDataMapRequest.newBuilder().setRun(reference.getName()).setSelection(selection).build()).getDataMap();
    System.out.printf("map: %d of %d selected%n", map.getSelectedCount(), map.getInstanceCount());

    Run main = await(service, service.fineTuneMain(
        FineTuneMainRequest.newBuilder().setDataMap(map.getName()).setSpec(spec).build()).getRun());
    System.out.printf("main: %s, %d steps%n", main.getState(), main.getProgress().getSteps());
    channel.shutdownNow();
  }

  /** Fills in epochs as they are committed; after a lost connection the stream goes on behind the last event. */
  static Run watch(FtftServiceGrpc.FtftServiceBlockingStub service, String name, Map<Integer, Double> epochs)
      throws InterruptedException {
    String token = "";
    double sum = 0;
    int count = 0;
    while (true) {
      try {
        var messages = service.streamDynamics(
            StreamDynamicsRequest.newBuilder().setName(name).setResumeToken(token).build());
        while (messages.hasNext()) {
          StreamDynamicsResponse message = messages.next();
          switch (message.getEventCase()) {
            case EPOCH_STARTED -> { sum = 0; count = 0; }
            case CHUNK -> { // little-endian float32, one an instance
              FloatBuffer column =
                  message.getChunk().getPTrue().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
              for (; column.hasRemaining(); count++) sum += column.get();
            }
            case EPOCH_COMMITTED -> { // only now is the epoch whole
              epochs.put(message.getEpochCommitted().getEpoch(), sum / count);
              System.out.printf(Locale.ROOT, "epoch %d: mean p_true %.4f%n", message.getEpochCommitted().getEpoch(), sum / count);
            }
            case EPOCHS_DISCARDED -> // a worker was lost: these epochs will come again
                epochs.keySet().removeIf(epoch -> epoch >= message.getEpochsDiscarded().getFirstEpoch());
            case COMPLETED -> { return message.getCompleted().getRun(); }
            default -> { }
          }
          token = message.getResumeToken();
        }
      } catch (StatusRuntimeException error) {
        goOnAfter(error);
      }
    }
  }

  static Run await(FtftServiceGrpc.FtftServiceBlockingStub service, Run run) throws InterruptedException {
    while (!TERMINAL.contains(run.getState())) {
      try {
        run = service.waitRun(WaitRunRequest.newBuilder().setName(run.getName()).setEtag(run.getEtag()).build());
      } catch (StatusRuntimeException error) {
        goOnAfter(error);
      }
    }
    return run;
  }

  /** Sleeps where the server restarts, drains or found us slow; throws every other error. */
  static void goOnAfter(StatusRuntimeException error) throws InterruptedException {
    if (!TRANSIENT.contains(error.getStatus().getCode())) throw error;
    System.err.println("connection lost, going on");
    Thread.sleep(200);
  }
}
