"""Starts the intercom. `door` is its object at the serial prompt; help(door) says what it can do."""

import asyncio
import machine
import sys
import time


def start():
    """Runs the door until the person at the console leaves for the plain REPL."""
    global door
    try:
        from door.intercom import Door

        door = Door()
    except ImportError as e:
        print("sipdoor cannot start: %s. A board needs its files and its wiring.py: make deploy BOARD=..." % e)
        return
    try:
        left = asyncio.run(door.run(globals()))
    except KeyboardInterrupt:
        left = "repl"
    except Exception as e:
        # Nothing should come here, and a door must not stay dead because something did.
        sys.print_exception(e)
        print("The door stopped. It starts again in 10 s; Ctrl-C leaves it stopped.")
        door.rest()
        time.sleep(10)
        machine.reset()
    finally:
        door.rest()
        asyncio.new_event_loop()
    if left == "restart":
        machine.soft_reset()
    if left != "repl":
        raise left  # the SystemExit of machine.soft_reset(), typed at the prompt
    print("This is the plain MicroPython REPL; the intercom is stopped. Ctrl-D starts it again.")


start()
