"""The twin: the same commands go to respcache and to genuine servers, and every answer is compared.

There are five parts: `transcripts`, written by hand, one file per family of commands; `generated` sequences, made by
hypothesis from the command table, after each of which all data is compared too; and the `tables` that servers return
about themselves. What may differ is listed in `looseness` and in differences.toml, nowhere else.
"""
