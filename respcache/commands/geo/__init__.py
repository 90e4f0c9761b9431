"""Places: sorted sets whose scores are geohashes. `places` adds and shows them, `searching` finds them."""
