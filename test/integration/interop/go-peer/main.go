// Command go-peer speaks Isthmus' wire with Go's own HTTP/2 and TLS, from
// docs/interoperability.md alone: as a consumer's egress (connect), or as a
// provider's ingress (serve).
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

var (
	address    = flag.String("address", "", "gateway to connect to, or to listen on")
	serverName = flag.String("server-name", "", "SNI that names the consumer")
	certFile   = flag.String("cert", "", "own leaf, PEM")
	keyFile    = flag.String("key", "", "its key, PEM")
	bundleFile = flag.String("bundle", "", "CAs of the other cluster, PEM")
	identity   = flag.String("identity", "", "URI SAN of the other cluster's gateway")
	authority  = flag.String("authority", "", "connect: service.namespace.svc:port; serve: the only one there is")
	backend    = flag.String("backend", "", "serve: address that the authority stands for")
)

func main() {
	flag.Parse()
	modes := map[string]func() error{"connect": connect, "ready": ready, "serve": serve}
	if err := modes[flag.Arg(0)](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// tlsConfig trusts the other cluster's CAs alone and, in place of a host name, the one URI SAN.
func tlsConfig() (*tls.Config, error) {
	leaf, err := tls.LoadX509KeyPair(*certFile, *keyFile)
	if err != nil {
		return nil, err
	}
	bundle, err := os.ReadFile(*bundleFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"h2"},
		Certificates: []tls.Certificate{leaf},
		ServerName:   *serverName,
		ClientAuth:   tls.RequireAnyClientCert,
		// Only the check of the host name is replaced: VerifyConnection does the rest.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if state.ServerName != *serverName {
				return errors.New("not the server name of this peer: " + state.ServerName)
			}
			remote := state.PeerCertificates[0]
			usages := []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
			if _, err := remote.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: usages}); err != nil {
				return err
			}
			if len(remote.URIs) != 1 || remote.URIs[0].String() != *identity {
				return fmt.Errorf("not %s: %v", *identity, remote.URIs)
			}
			return nil
		},
	}, nil
}

// connect joins a CONNECT stream to standard input and output; it fails unless both directions ended in order.
func connect() error {
	question := &body{File: os.Stdin, sent: make(chan struct{})}
	response, err := request(http.MethodConnect, "", question)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("refused: %d %s", response.StatusCode, response.Header.Get("isthmus-reason"))
	}
	if _, err = io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	// The other direction may go on for longer.
	<-question.sent
	return nil
}

// body is a request's body that tells when the transport has done with it.
type body struct {
	*os.File
	once sync.Once
	sent chan struct{}
}

func (b *body) Close() error {
	b.once.Do(func() { close(b.sent) })
	return nil
}

// ready asks whether the gateway is there and takes streams.
func ready() error {
	response, err := request(http.MethodGet, "/.isthmus/ready", nil)
	if err != nil {
		return err
	}
	fmt.Println(response.Proto, response.StatusCode)
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

func request(method, path string, body io.Reader) (*http.Response, error) {
	config, err := tlsConfig()
	if err != nil {
		return nil, err
	}
	ask, err := http.NewRequest(method, "https://"+*address+path, body)
	if err != nil {
		return nil, err
	}
	ask.Host = *authority
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableCompression: true}
	return transport.RoundTrip(ask)
}

func serve() error {
	config, err := tlsConfig()
	if err != nil {
		return err
	}
	server := &http.Server{Addr: *address, TLSConfig: config, Handler: http.HandlerFunc(answer)}
	return server.ListenAndServeTLS("", "")
}

func answer(writer http.ResponseWriter, ask *http.Request) {
	switch {
	case ask.Method == http.MethodGet && ask.URL.Path == "/.isthmus/ready":
		writer.Header().Set("content-type", "application/json")
		fmt.Fprintln(writer, `{"cluster":"west","draining":false}`)
	case ask.Method != http.MethodConnect:
		writer.WriteHeader(http.StatusMethodNotAllowed)
	case ask.Host != *authority:
		writer.Header().Set("isthmus-reason", "NotExported")
		writer.WriteHeader(http.StatusNotFound)
	default:
		tunnel(writer, ask)
	}
}

func tunnel(writer http.ResponseWriter, ask *http.Request) {
	dialled, err := net.Dial("tcp", *backend)
	if err != nil {
		writer.Header().Set("isthmus-reason", "EndpointUnreachable")
		writer.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	local := dialled.(*net.TCPConn)
	defer local.Close()
	stream := http.NewResponseController(writer)
	if err := errors.Join(stream.EnableFullDuplex(), stream.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	go func() {
		if _, err := io.Copy(local, ask.Body); err != nil {
			fmt.Println("the consumer's stream was reset:", err)
			// A reset on one side is a reset on the other.
			local.SetLinger(0)
			local.Close()
			return
		}
		local.CloseWrite()
	}()
	buffer := make([]byte, 64*1024)
	for {
		count, err := local.Read(buffer)
		writer.Write(buffer[:count])
		stream.Flush()
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}
