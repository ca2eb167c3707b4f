import os
import time


def test_what_is_left_of_an_upload_that_was_broken_off_goes_and_one_that_grows_stays(studio):
    broken, growing = (studio.workspace.page_tmp / name for name in ("tmpbroken", "tmpgrowing"))
    for path in (broken, growing):
        path.write_bytes(b"a,b\n" * 1000)
    os.utime(broken, (time.time() - 3600,) * 2)
    studio.workspace.sweep()
    assert not broken.exists()
    assert growing.exists()
