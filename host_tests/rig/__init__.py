"""Real peers for the tests, and for `make bench`, on loopback: start them, talk to them, end them.

    process       one program with its log, ended by its id whatever happens to the test
    addresses     a loopback address of one's own for every door and peer, so that tests never collide
    certificates  an authority, and what its TLS servers show
    kamailio      a registrar and record-routing, forking proxy with digest authentication, over UDP, TCP and TLS
    baresip       a softphone that plays and records WAV files
    sipp          built-in and own (sipp/*.xml) call scenarios
    speech        what is said into one side, and how much of it arrives at the other (PESQ)
    wire          a bare UDP socket that sends and reads SIP messages as bytes

Nothing here needs pytest. tools/peers.py says what to install.
"""
