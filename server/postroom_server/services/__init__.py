"""The gRPC servicers: unpack, call, pack."""
