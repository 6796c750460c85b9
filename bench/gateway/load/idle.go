package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

const dialers = 32

// idle opens COUNT connections, each answered once, and writes "open COUNT". To each line it reads it then sends a byte
// over as many of them as the line says, spread evenly, and writes "answered N". It ends with its standard input.
func idle(target string, count int) error {
	connections := make([]int, count)
	var next, failed atomic.Int64
	var failure atomic.Value
	var group sync.WaitGroup
	for range dialers {
		group.Go(func() {
			buffer := make([]byte, 1)
			for index := next.Add(1) - 1; index < int64(count); index = next.Add(1) - 1 {
				fd, err := dial(target)
				if err == nil {
					err = bounce(fd, buffer, 'o')
				}
				if err != nil {
					failed.Add(1)
					failure.Store(err.Error())
				}
				connections[index] = fd
			}
		})
	}
	group.Wait()
	if failed.Load() > 0 {
		return fmt.Errorf("%d of %d connections failed, one of them: %v", failed.Load(), count, failure.Load())
	}
	fmt.Println("open", count)
	buffer := make([]byte, 1)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		sample := number(lines.Text())
		answered := 0
		for index := range sample {
			if bounce(connections[index*count/sample], buffer, byte(index)) == nil {
				answered++
			}
		}
		fmt.Println("answered", answered)
	}
	return lines.Err()
}
