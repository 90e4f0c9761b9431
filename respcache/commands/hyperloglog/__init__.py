"""HyperLogLogs, which tell about how many different elements there were: `counting` them, and `debugging`."""
