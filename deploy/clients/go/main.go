// Trains a reference, watches it through lost connections, maps the data and fine-tunes on the ambiguous third.
//
//	go run . HOST:PORT DATASET MODEL          TLS with FTFT_CA_FILE, a token in FTFT_TOKEN
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"math"
	"os"
	"time"

	ftft "ftft.dev/api/ftft/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func main() {
	address, dataset, model := os.Args[1], os.Args[2], os.Args[3]
	transport := insecure.NewCredentials()
	if ca := os.Getenv("FTFT_CA_FILE"); ca != "" {
		transport = must(credentials.NewClientTLSFromFile(ca, ""))
	}
	service := ftft.NewFtftServiceClient(must(grpc.NewClient(address, grpc.WithTransportCredentials(transport))))
	ctx := context.Background()
	if token := os.Getenv("FTFT_TOKEN"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}

	spec := &ftft.TrainingSpec{Dataset: dataset, Model: model, Epochs: 3, BatchSize: 8, LearningRate: 1e-3, MaxLength: 16}
	accepted := must(service.TrainReference(ctx, &ftft.TrainReferenceRequest{Spec: spec}))
	reference, epochs := watch(ctx, service, accepted.Run.Name)
	fmt.Printf("reference: %v, %d epochs\n", reference.State, len(epochs))

	selection := &ftft.Selection{
		Criterion: &ftft.Selection_Region{Region: ftft.Region_REGION_AMBIGUOUS}, Fraction: 0.33, Rule: ftft.Selection_RULE_RANK,
	}
	built := must(service.BuildDataMap(ctx, &ftft.BuildDataMapRequest{Run: reference.Name, Selection: selection})).DataMap
	fmt.Printf("map: %d of %d selected\n", built.SelectedCount, built.InstanceCount)

	queued := must(service.FineTuneMain(ctx, &ftft.FineTuneMainRequest{DataMap: built.Name, Spec: spec})).Run
	done := wait(ctx, service, queued)
	fmt.Printf("main: %v, %d steps\n", done.State, done.Progress.Steps)
}

// Epochs as they are committed; after a lost connection the stream goes on behind the last event.
func watch(ctx context.Context, service ftft.FtftServiceClient, name string) (*ftft.Run, map[int32]float64) {
	token, epochs, sum, count := "", map[int32]float64{}, 0.0, 0
	for {
		start := &ftft.StreamDynamicsRequest_ResumeToken{ResumeToken: token}
		stream, err := service.StreamDynamics(ctx, &ftft.StreamDynamicsRequest{Name: name, Start: start})
		for err == nil {
			var message *ftft.StreamDynamicsResponse
			if message, err = stream.Recv(); err != nil {
				break
			}
			switch event := message.Event.(type) {
			case *ftft.StreamDynamicsResponse_EpochStarted:
				sum, count = 0, 0
			case *ftft.StreamDynamicsResponse_Chunk: // little-endian float32, one an instance
				for column := event.Chunk.PTrue; len(column) > 0; column = column[4:] {
					sum, count = sum+float64(math.Float32frombits(binary.LittleEndian.Uint32(column))), count+1
				}
			case *ftft.StreamDynamicsResponse_EpochCommitted: // only now is the epoch whole
				epochs[event.EpochCommitted.Epoch] = sum / float64(count)
				fmt.Printf("epoch %d: mean p_true %.4f\n", event.EpochCommitted.Epoch, sum/float64(count))
			case *ftft.StreamDynamicsResponse_EpochsDiscarded: // a worker was lost: these epochs will come again
				for epoch := range epochs {
					if epoch >= event.EpochsDiscarded.FirstEpoch {
						delete(epochs, epoch)
					}
				}
			case *ftft.StreamDynamicsResponse_Completed:
				return event.Completed.Run, epochs
			}
			token = message.ResumeToken
		}
		goOnAfter(err)
	}
}

func wait(ctx context.Context, service ftft.FtftServiceClient, run *ftft.Run) *ftft.Run {
	for run.State != ftft.Run_STATE_SUCCEEDED && run.State != ftft.Run_STATE_FAILED && run.State != ftft.Run_STATE_CANCELLED {
		next, err := service.WaitRun(ctx, &ftft.WaitRunRequest{Name: run.Name, Etag: run.Etag})
		if err != nil {
			goOnAfter(err)
			continue
		}
		run = next
	}
	return run
}

// Sleeps where the server restarts, drains or found us slow; ends the program at every other error.
func goOnAfter(err error) {
	if code := status.Code(err); code != codes.Unavailable && code != codes.Aborted {
		log.Fatal(err)
	}
	log.Print("connection lost, going on")
	time.Sleep(200 * time.Millisecond)
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
