"""The HTTP door: the commands of Redis for clients that have no TCP connection to it.

A session reads HTTP (by h11), a dialect says which commands a request asks for, and a conversation like that of any
other client carries them out. What it answers with, RESP2, becomes the body of the response piece by piece.

| module        | what it knows                                                      |
|---------------|--------------------------------------------------------------------|
| `door`        | a connection begins                                                |
| `session`     | one connection: requests in, responses out, limits                 |
| `requests`    | the target of a request, and its headers                           |
| `guard`       | who may ask: tokens, origins, hosts                                |
| `exchange`    | what a request asks for, and how it is answered                    |
| `responses`   | whole responses                                                    |
| `writer`      | responses to bytes, with their heads                               |
| `blocking`    | how long a command may wait                                        |
| `bodies`      | JSON to commands                                                   |
| `replies`     | RESP2 to JSON, to events, to plain text                            |
| `portions`    | replies that have not become a body yet                            |
| `upstash`     | the dialect of Upstash's REST API                                  |
| `seed`        | the dialect of this project's first sketch                         |
| `observation` | GET /metrics and GET /health                                       |
| `metrics`     | what those answer: figures for Prometheus, and whether all is well |

Nothing of this is imported unless a port is set: h11 is an extra of the package.
"""
