// Command load is what the gateway's bench cannot take from Debian: a server and clients that cost so little
// themselves that they do not set the figures. Linux only; its loops call the kernel directly, as C would.
//
//	load serve ADDRESS HTTP_PORT ECHO_PORT
//	load check ADDRESS:PORT                 one byte there and back
//	load roundtrips ADDRESS:PORT SECONDS    one byte there and back on one connection, again and again
//	load idle ADDRESS:PORT COUNT            holds connections; see idle.go
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
)

func main() {
	// The loops do not allocate, and block in the kernel without telling the runtime.
	debug.SetGCPercent(-1)
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "serve":
		return serve(args[1], number(args[2]), number(args[3]))
	case len(args) == 2 && args[0] == "check":
		return check(args[1])
	case len(args) == 3 && args[0] == "roundtrips":
		return roundTrips(args[1], number(args[2]))
	case len(args) == 3 && args[0] == "idle":
		return idle(args[1], number(args[2]))
	}
	return fmt.Errorf("usage: see main.go; got %q", args)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return value
}
