module isthmus.dev/test/pause

go 1.26
