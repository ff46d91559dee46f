# RunPod's Hub asks for this file. The worker is no Python program: the Dockerfile starts
# `infernode worker`, and docs/image.md says how.
raise SystemExit("The worker is started by `infernode worker`; see docs/image.md.")
