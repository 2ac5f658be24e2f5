// A folder in, an S3 server over its files out: versitygw with its POSIX backend alone, for the tests.
// The root user's keys are ROOT_ACCESS_KEY and ROOT_SECRET_KEY.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: s3-server ADDRESS FOLDER METADATA_FOLDER")
	}
	address, folder, metadataFolder := os.Args[1], os.Args[2], os.Args[3]
	metadata, err := meta.NewSideCar(metadataFolder)
	if err != nil {
		log.Fatal(err)
	}
	files, err := posix.New(folder, metadata, posix.PosixOpts{SideCarDir: metadataFolder})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err = embedgw.RunVersityGW(ctx, files, &embedgw.Config{
		RootUserAccess:    os.Getenv("ROOT_ACCESS_KEY"),
		RootUserSecret:    os.Getenv("ROOT_SECRET_KEY"),
		Ports:             []string{address},
		MaxConnections:    1000,
		MaxRequests:       1000,
		MultipartMaxParts: 10000,
		Quiet:             true,
		KeepAlive:         true,
	})
	if err != nil {
		log.Fatal(err)
	}
}
