"""The proxy of a house against RFC 3261, sections 16.7 to 16.10 and 17, and RFC 4320: what comes back, from whom, and when. See
house_play.py for how to read a row. Requests on their way in are in test_house_requests.py."""

from house_play import play


def test_responses():
    play((
        # What is sent at once, and what is kept.
        ("16.2: 100 at once; 16.7 step 5: any other 1xx goes on, 100 does not", "a>102 =a:100 =b:INVITE b100 =a: b180 =a:180 b183 =a:183 b200 =a:200"),
        ("16.7 step 3: our Via is taken off", "a>102 =a:100 =b:INVITE b~192.0.2.1:5060;rport b180 =a:180 a^192.0.2.1:5060;rport b200 =a:200"),
        ("16.7 step 5: every 2xx goes on, those of a callee that forks too", "a>102 =a:100 =b:INVITE b200#x =a:200 b200#y =a:200 b200#x =a:200"),
        ("16.7 step 5: after a 2xx no 1xx goes on", "a>100 =a:100 =b:INVITE =c:INVITE =d:INVITE b200 =a:200 c180 =c:CANCEL =a: c200* c487 =c:ACK d486 =d:ACK"),
        ("16.7 step 5: 2xx from two phones both go on", "a>100 =a:100 =b:INVITE =c:INVITE =d:INVITE b200 =a:200 c200 =a:200 d404 =d:ACK"),
        ("16.7 step 5: a refusal waits for the others", "a>100 =a:100 =b:INVITE =c:INVITE =d:INVITE b486 =a: =b:ACK c480 =a: =c:ACK d404 =a:486 =d:ACK"),
        ("16.7 step 5: 6xx is not sent before all have ended", "a>100 =a:100 =b:INVITE =c:INVITE =d:INVITE b603 =b:ACK =a: c404 =c:ACK d404 =d:ACK =a:603"),
        ("16.7 step 5: a 2xx that crosses the CANCEL of a 6xx goes on, in its place", "a>100 =a:100 =b:INVITE =c:INVITE =d:INVITE c180 =a:180 d404 =d:ACK b603 =b:ACK =c:CANCEL c200* c200 =a:200"),
        # Which refusal is the best: step 6.
        ("16.7 step 6: 6xx before all", "b@102 c@102 d@102 a>102 =a:100 =b:INVITE =c:INVITE =d:INVITE b302>x@192.0.2.99 =b:ACK c600 =c:ACK d486 =d:ACK =a:600"),
        ("16.7 step 6: 3xx before 4xx", "b@102 c@102 d@102 a>102 =a:100 =b:INVITE =c:INVITE =d:INVITE b500 =b:ACK c302>999 =c:ACK d486 =d:ACK =a:302"),
        ("16.7 step 6: 4xx before 5xx", "b@102 c@102 d@103 a>102 =a:100 =b:INVITE =c:INVITE b500 =b:ACK c404 =c:ACK =a:404"),
        ("16.7 step 6: in 4xx what the caller can do something about: 401", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b404 =b:ACK c401 =c:ACK =a:401"),
        ("16.7 step 6: 407", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b480 =b:ACK c407 =c:ACK =a:407"),
        ("16.7 step 6: 415", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b486 =b:ACK c415 =c:ACK =a:415"),
        ("16.7 step 6: 420", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b486 =b:ACK c420 =c:ACK =a:420"),
        ("16.7 step 6: 484", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b404 =b:ACK c484 =c:ACK =a:484"),
        ("16.7 step 6: a 503 is nothing to pass on", "a>102 =a:100 =b:INVITE b503 =b:ACK =a:500 a^Retry-After"),
        ("16.7 step 6: nor of all", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b503 =b:ACK c503 =c:ACK =a:500"),
        ("16.7 step 6: and any other goes before it", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b503 =b:ACK c501 =c:ACK =a:501"),
        ("16.7 step 6: what a phone says goes before another's silence", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b486 =b:ACK t33000 =c:INVITE*6 =a:486"),
        ("16.7 step 7: the challenges of all go back together", "b@102 c@102 d@102 a>102 =a:100 =b:INVITE =c:INVITE =d:INVITE b401 =b:ACK c407 =c:ACK d404 =d:ACK =a:401 "
         'a~realm="192.0.2.12" a~realm="192.0.2.13" a~Proxy-Authenticate: a~WWW-Authenticate:'),
        ("16.7 step 7: and each once", "a>102 =a:100 =b:INVITE b401 =b:ACK =a:401 a~WWW-Authenticate a^Proxy-Auth"),
        # Who is asked when.
        ("16.6: the higher q first, the lower when it has refused", "b@102;q=0.9 c@102;q=0.3 a>102 =a:100 =b:INVITE =c: b486 =b:ACK =c:INVITE c200 =a:200"),
        ("16.6: equal q at once", "b@102;q=0.5 c@102;q=0.5 d@102;q=0.2 a>102 =a:100 =b:INVITE =c:INVITE b404 =b:ACK =d: c404 =c:ACK =d:INVITE d404 =d:ACK =a:404"),
        ("16.7 step 5: after a 6xx nobody else is asked", "b@102;q=0.9 c@102;q=0.3 a>102 =a:100 =b:INVITE b603 =b:ACK =a:603 =c:"),
        ("16.7 step 4: a 3xx is followed, and not told", "a>102 =a:100 =b:INVITE b302>103 =b:ACK =c:INVITE =a: c200 =a:200"),
        ("16.7 step 4: at once, while others still ring", "b@102 c@102 d@104 a>102 =a:100 =b:INVITE =c:INVITE c180 =a:180 b302>104 =b:ACK =d:INVITE d180 =a:180 d200 =a:200 =c:CANCEL c200* c487 =c:ACK"),
        ("16.7 step 4: nobody is asked twice", "a>102 =a:100 =b:INVITE b302>103 =b:ACK =c:INVITE c302>102 =c:ACK =a:302"),
        ("16.7 step 4: not after a 6xx", "b@102 c@102 d@104 a>102 =a:100 =b:INVITE =c:INVITE b603 =b:ACK c302>104 =c:ACK =d: =a:603"),
        # The others are cancelled: step 10.
        ("16.7 step 10: who rings is told that it was answered", "a>100 =a:100 =b:INVITE =c:INVITE =d:INVITE b180 c180 d180 =a:180,180,180 b200 =a:200 =c:CANCEL c~cause=200 =d:CANCEL c200* d200* c487 d487 =c:ACK =d:ACK"),
        ("16.7 step 10: and by a 6xx that it is over", "a>100 =a:100 =b:INVITE =c:INVITE =d:INVITE c180 =a:180 d404 =d:ACK b600 =b:ACK =c:CANCEL c^cause=200 c200* c487 =c:ACK =a:600"),
        ("9.1: nobody who has said nothing is cancelled; he is when he does", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b200 =a:200 =c: c180 =c:CANCEL c200* c487 =c:ACK"),
    ))


def test_cancel():
    play((
        ("16.10: 200 at once, CANCEL for all that ring, and 487", "a>100 =a:100 =b:INVITE =c:INVITE =d:INVITE b180 c180 d180 =a:180,180,180 a! =a:200 =b:CANCEL =c:CANCEL =d:CANCEL "
         "b200* c200* d200* b487 c487 =a: d487 =a:487 =b:ACK =c:ACK =d:ACK"),
        ("RFC 3326 2: with the Reason that it came with", "a>102 =a:100 =b:INVITE b180 =a:180 a!SIP;cause=200 =a:200 =b:CANCEL b~SIP;cause=200 b200* b487 =b:ACK =a:487"),
        ("9.2: of what is unknown: 481", "a>102 =a:100 =b:INVITE b486 =b:ACK =a:486 t33000 a! =a:481"),
        ("9.2: after the final answer it changes nothing", "a>102 =a:100 =b:INVITE b200 =a:200 a! =a:200"),
        ("16.10: one that crosses a 200", "a>102 =a:100 =b:INVITE b180 =a:180 a! =a:200 =b:CANCEL b200 =a:200 b481*"),
        ("9.1: a phone that has said nothing is cancelled when it does", "a>102 =a:100 =b:INVITE a! =a:200 =b: t1000 =b:INVITE b180 =b:CANCEL b200* b487 =b:ACK =a:487"),
        ("9.1: and if it never does, 4 s are enough for the caller; then what comes is told to stop even so", "a>102 =a:100 =b:INVITE a! =a:200 t3900 =a: t200 =b:INVITE*3 =a:487 b180 =b:CANCEL b200* b487 =b:ACK =a:"),
        ("9.1: a CANCEL is repeated by timer E, for 64*T1", "a>102 =a:100 =b:INVITE b180 =a:180 t700 a! =a:200 =b:CANCEL t499 =b: t1 =b:CANCEL t1000 =b:CANCEL t2000 =b:CANCEL t28000 =b:CANCEL*7 =a: t500 =a:487 b487 =b:ACK =a:"),
        ("9.1: a phone that has answered CANCEL and says no more has 64*T1", "a>102 =a:100 =b:INVITE b180 =a:180 a! =a:200 =b:CANCEL b200* t32000 =a: t600 =a:487"),
        ("9.1: and what it says then still counts", "a>102 =a:100 =b:INVITE b180 =a:180 a! =a:200 =b:CANCEL b200* t20000 b200 =a:200"),
        ("9.1: of two each has its own time", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b180 =a:180 a! =a:200 =b:CANCEL b200* t5000 =c:INVITE*3 =a: b487 =b:ACK =a:487"),
        ("16.10: nobody of a lower q is asked any more", "b@102;q=0.9 c@102;q=0.3 a>102 =a:100 =b:INVITE b180 =a:180 a! =a:200 =b:CANCEL b200* b487 =b:ACK =a:487 =c:"),
        ("16.10: a 3xx after it is not followed", "a>102 =a:100 =b:INVITE b180 =a:180 a! =a:200 =b:CANCEL b200* b302>103 =b:ACK =c: =a:302"),
        ("16.10: one that comes twice is answered twice, and sent once", "a>102 =a:100 =b:INVITE b180 =a:180 a! a! =a:200,200 =b:CANCEL b200* b487 =b:ACK =a:487"),
    ))


def test_timers():
    play((
        ("17.1.1.2 timers A and B: 7 INVITEs in 32 s, then 408", "a>102 =a:100 =b:INVITE t499 =b: t1 =b:INVITE t1000 =b:INVITE t2000 =b:INVITE t4000 =b:INVITE t8000 =b:INVITE t16000 =b:INVITE =a: t1000 =a:408"),
        ("17.1.1.2: 1xx ends the repetitions", "a>102 =a:100 =b:INVITE t600 =b:INVITE b100 t20000 =b: b200 =a:200"),
        ("17.1.1.2 timer B is each branch's own, also while another rings", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b180 =a:180 t40000 =c:INVITE*6 =a: b486 =b:ACK =a:486"),
        ("16.6 step 11, 16.8 timer C: three minutes after the last 1xx of more than 100", "a>102 =a:100 =b:INVITE b100 t100000 b180 =a:180 t180000 =b: t5100 =b:CANCEL b200* b487 =b:ACK =a:487"),
        ("16.8: a phone that says only 100", "a>102 =a:100 =b:INVITE b100 t180000 =b: t5100 =b:CANCEL b200* b487 =b:ACK =a:487"),
        ("16.8: it is each branch's own", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b180 c100 t100000 c180 =a:180,180 t85100 =b:CANCEL =c: b200* b487 =b:ACK =a: t50000 c200 =a:200"),
        ("16.7 step 2: and is begun anew by its own 1xx alone", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b180 c180 t100000 b183 =a:180,180,183 t85100 =c:CANCEL =b: c200* c487 =c:ACK t90000 =b: b200 =a:200"),
        ("16.8: one that does not answer CANCEL is done when timer F is", "b@102 c@102 a>102 =a:100 =b:INVITE =c:INVITE b180 c100 t100000 c180 =a:180,180 t85100 =b:CANCEL t33000 =b:CANCEL*10 =c: c486 =c:ACK =a:486"),
        ("16.8: then those of a lower q have their turn", "b@102;q=0.9 c@102;q=0.3 a>102 =a:100 =b:INVITE b180 =a:180 t185100 =b:CANCEL b200* b487 =b:ACK =c:INVITE c200 =a:200"),
        ("17.1.1.2 timer D: a refusal that comes again is acknowledged again", "b@102;q=0.9 c@102;q=0.3 a>102 =a:100 =b:INVITE b486 =b:ACK =c:INVITE b486 =b:ACK c200 =a:200 b486 =b:ACK"),
        ("17.1.1.3: that ACK is of the same branch, and has the To of the refusal", "a>102 =a:100 =b:INVITE b486#busy =b:ACK b~;tag=busy b~SIP/2.0/UDP =a:486"),
        ("17.2.1: the INVITE that comes again hears what was said last", "a>102 =a:100 =b:INVITE a>> =a:100 =b: b180 =a:180 a>> =a:180 b200 =a:200 a>> =a:"),
        ("RFC 6026 7.1: a 2xx that comes again goes on again", "a>102 =a:100 =b:INVITE b200 =a:200 t500 b200 =a:200 t30000 b200 =a:200"),
        ("17.1.2.2 timers E and F: T1, doubled up to T2, for 32 s", "a>102/MESSAGE =a: =b:MESSAGE t500 =b:MESSAGE t1000 =b:MESSAGE t2000 =b:MESSAGE =a: t4000 =b:MESSAGE =a:100 t4000 =b:MESSAGE t4000 =b:MESSAGE t16000 =b:MESSAGE*4 t1000 =a:"),
        ("17.1.2.2: in Proceeding each T2", "a>102/MESSAGE =b:MESSAGE b100 =a: t9000 =b:MESSAGE*4 =a:100 b200 =a:200"),
        ("RFC 4320 4.1: 100 when timer E has come to T2, not before", "a>102/MESSAGE =b:MESSAGE t3900 =a: =b:MESSAGE*3 t200 =a:100 b200 =a:200"),
        ("RFC 4320 4.1: no other 1xx", "a>102/MESSAGE =b:MESSAGE b180 =a: b200 =a:200"),
        ("RFC 4320 4.2: silence is not told by a 408", "a>102/MESSAGE =b:MESSAGE t33000 =b:MESSAGE*10 =a:100"),
        ("RFC 4320 4.2: nor is one passed on", "a>102/MESSAGE =b:MESSAGE b408 =a:"),
        ("17.2.2: the request that comes again hears its answer", "a>102/MESSAGE =b:MESSAGE b200 =a:200 a>> =a:200 =b:"),
        ("16.7: of several only one final answer to what is no INVITE", "b@102 c@102 a>102/MESSAGE =b:MESSAGE =c:MESSAGE b200 =a:200 c200 =a:"),
    ))


def test_streams():
    play((
        ("17.1.1.2: on a stream nothing is repeated; timer B is the same", "b@102,tcp a>102 =a:100 =b:INVITE t31000 =b: t1500 =a:408"),
        ("17.1.2.2: nor is another request", "b@102,tcp a>102/MESSAGE =b:MESSAGE t31000 =b: =a:100 t2000"),
        ("9.1: nor a CANCEL", "b@102,tcp a>102 =a:100 =b:INVITE b180 =a:180 a! =a:200 =b:CANCEL t10000 =b: b200* b487 =b:ACK =a:487"),
        ("16.6 step 4: the dialog comes by here where only a connection leads there", "b@102,tcp a>102 =a:100 =b:INVITE b~transport=tcp;lr;house= b486 =b:ACK =a:486"),
        ("16.6 step 4: and does not where both reach each other", "a>102 =a:100 =b:INVITE b^Record-Route b486 =b:ACK =a:486"),
        ("RFC 5658: each side by its own transport", "a@101,tcp a>102 =a:100 =b:INVITE b~5060;lr;house= b~transport=tcp;lr b486 =b:ACK =a:486"),
    ))
