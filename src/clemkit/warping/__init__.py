"""Warping: plan which input each output chunk needs, then execute by chunks."""
