"""The commands that run in a shard, next to the data.

A handler is a plain function ``(shard, args) -> reply``, with its row of the command table right above it. Start with
`lists.elements`; docs/contributing/adding-a-command.md explains how handlers are written. There are

* `table`: the command table, which everything else reads: `Command`, `TABLE`, and `family`, which registers;
* `args`: the cursor that handlers read their arguments from;
* `keys`: commands about keys, whatever their values are: DEL, EXPIRE, SCAN, SORT, OBJECT, MEMORY;
* `strings`, `bitmaps`, `hashes`, `lists`, `sets`, `zsets`: the commands of each type;
* `scanning`, `sampling`, `long_double`: shared by several families: the SCAN commands, random elements, and the
  arithmetic of INCRBYFLOAT;
* `all`: imports every family, which fills the table.

Families import `table`, `args`, the shared modules, and nothing of one another.
"""
