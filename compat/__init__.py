"""Comparisons with the outside world: does respcache behave like a genuine Redis, and how fast is it beside one?"""
