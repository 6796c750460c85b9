module isthmus.dev/test/go-peer

go 1.26
