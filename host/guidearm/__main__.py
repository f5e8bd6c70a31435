"""`python -m guidearm` is the program `guidearm`."""

from guidearm.cli.main import main

main()
