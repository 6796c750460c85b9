package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
)

const (
	histogramMicros = 1_000_000
	answerSeconds   = 10
)

var errNoAnswer = errors.New("no answer, or not the byte that was sent")

func dial(target string) (int, error) {
	at, err := netip.ParseAddrPort(target)
	if err != nil {
		return noDescriptor, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return noDescriptor, err
	}
	if err := prepare(fd); err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
		if err == nil {
			return fd, nil
		}
		syscall.Close(fd)
		return noDescriptor, fmt.Errorf("connect to %s: %w", target, err)
	}
	syscall.Close(fd)
	return noDescriptor, err
}

func prepare(fd int) error {
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return err
	}
	return syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: answerSeconds})
}

// bounce sends a byte and waits for it.
func bounce(fd int, buffer []byte, value byte) error {
	buffer[0] = value
	if !writeAll(fd, buffer[:1]) || readSome(fd, buffer[:1]) != 1 || buffer[0] != value {
		return errNoAnswer
	}
	return nil
}

func check(target string) error {
	fd, err := dial(target)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return bounce(fd, make([]byte, 1), 'c')
}

func roundTrips(target string, seconds int) error {
	fd, err := dial(target)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	buffer := make([]byte, 1)
	histogram := make([]int, histogramMicros+1)
	count := 0
	begin := time.Now()
	end := begin.Add(time.Duration(seconds) * time.Second)
	for sent := begin; sent.Before(end); count++ {
		if err := bounce(fd, buffer, byte(count)); err != nil {
			return err
		}
		now := time.Now()
		histogram[min(histogramMicros, int(now.Sub(sent).Microseconds()))]++
		sent = now
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"count":     float64(count),
		"perSecond": float64(count) / time.Since(begin).Seconds(),
		"p50Ms":     quantile(histogram, count, 0.5),
		"p99Ms":     quantile(histogram, count, 0.99),
	})
}

func quantile(histogram []int, count int, share float64) float64 {
	left := share * float64(count)
	for micros, here := range histogram {
		left -= float64(here)
		if left <= 0 {
			return float64(micros) / 1000
		}
	}
	return histogramMicros / 1000
}
