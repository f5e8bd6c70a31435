"""`guidearm bench`: what the project does, measured, each figure beside its bound."""
