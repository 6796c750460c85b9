package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"syscall"
	"unsafe"
)

const (
	listenBacklog  = 4096
	maxEvents      = 256
	maxDescriptors = 1 << 20
	noDescriptor   = -1
)

var (
	answer      = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nhello, world\n")
	lastAnswer  = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nConnection: close\r\n\r\nhello, world\n")
	requestEnd  = []byte("\r\n\r\n")
	closeHeader = []byte("Connection: close\r\n")
)

type kind byte

const (
	unused kind = iota
	httpListener
	echoListener
	httpConnection
	echoConnection
)

// serve answers HTTP/1.1 on one port and sends back what it gets on the other, in one loop of one thread.
func serve(address string, httpPort, echoPort int) error {
	epoll, err := syscall.EpollCreate1(0)
	if err != nil {
		return err
	}
	kinds := make([]kind, maxDescriptors)
	for port, listener := range map[int]kind{httpPort: httpListener, echoPort: echoListener} {
		fd, err := listen(address, port)
		if err != nil {
			return fmt.Errorf("port %d: %w", port, err)
		}
		kinds[fd] = listener
		if err := watch(epoll, fd); err != nil {
			return err
		}
	}
	buffer := make([]byte, 64*1024)
	events := make([]syscall.EpollEvent, maxEvents)
	for {
		count, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_WAIT, uintptr(epoll),
			uintptr(unsafe.Pointer(&events[0])), maxEvents, ^uintptr(0), 0, 0)
		if errno == syscall.EINTR {
			continue
		} else if errno != 0 {
			return errno
		}
		for _, event := range events[:count] {
			fd := int(event.Fd)
			switch kinds[fd] {
			case httpListener:
				accept(epoll, fd, httpConnection, kinds)
			case echoListener:
				accept(epoll, fd, echoConnection, kinds)
			case httpConnection:
				answerRequest(fd, buffer)
			case echoConnection:
				if got := readSome(fd, buffer); got <= 0 || !writeAll(fd, buffer[:got]) {
					syscall.Close(fd)
				}
			}
		}
	}
}

// A client of this bench sends a request, in one packet, only after the answer to the one before.
func answerRequest(fd int, buffer []byte) {
	got := readSome(fd, buffer)
	if got <= 0 || !bytes.HasSuffix(buffer[:got], requestEnd) {
		syscall.Close(fd)
		return
	}
	if bytes.Contains(buffer[:got], closeHeader) {
		writeAll(fd, lastAnswer)
		syscall.Close(fd)
	} else if !writeAll(fd, answer) {
		syscall.Close(fd)
	}
}

func accept(epoll, listener int, connection kind, kinds []kind) {
	for {
		fd, _, err := syscall.Accept4(listener, syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		if fd >= maxDescriptors {
			syscall.Close(fd)
			continue
		}
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		kinds[fd] = connection
		if watch(epoll, fd) != nil {
			syscall.Close(fd)
		}
	}
}

func listen(address string, port int) (int, error) {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return noDescriptor, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return noDescriptor, err
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return noDescriptor, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: at.As4()}); err != nil {
		return noDescriptor, err
	}
	return fd, syscall.Listen(fd, listenBacklog)
}

func watch(epoll, fd int) error {
	return syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

// readSome returns the number of bytes, 0 at the end and less than that after an error.
func readSome(fd int, buffer []byte) int {
	for {
		got, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)))
		if errno == syscall.EINTR {
			continue
		} else if errno != 0 {
			return -1
		}
		return int(got)
	}
}

func writeAll(fd int, data []byte) bool {
	for len(data) > 0 {
		wrote, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)))
		if errno == syscall.EINTR {
			continue
		} else if errno != 0 {
			return false
		}
		data = data[wrote:]
	}
	return true
}
