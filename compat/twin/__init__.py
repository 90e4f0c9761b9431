"""The twin: the same commands go to respcache and to genuine servers, and every answer is compared.

Three parts: `transcripts`, written by hand, a file for each family of commands; `generated` sequences, made by
hypothesis from the command table, after each of which the whole data is compared too; and the `tables` that servers
give out about themselves. What may differ is named in `looseness` and in differences.toml, nowhere else.
"""
