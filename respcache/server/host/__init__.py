"""The machine that main runs on: signals, descriptors, the pid file, the background, who supervises us."""
