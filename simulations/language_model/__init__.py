"""A pretrained language model trained by policy gradient on tasks that check themselves: the gate really skips.

Needs the extra ``lm``, and the weights (:mod:`.weights`) or a Hugging Face directory of one's own.
"""
