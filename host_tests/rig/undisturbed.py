"""What is measured of sound in real time, on a computer that has other business."""


def undisturbed(cell, tries=3):
    """Runs cell(i), i from 0, until it asserts nothing false.

    One frame sent or played late, by either program, costs speech up to half a point of PESQ and says nothing of what is
    tested. The last try counts whatever it finds: a fault in sipdoor spoils all of them.
    """
    for i in range(tries - 1):
        try:
            return cell(i)
        except (AssertionError, RuntimeError) as e:
            print("once more, for: %s" % e)
    return cell(tries - 1)
