module isthmus.dev/bench/load

go 1.26
