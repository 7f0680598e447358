# Runs one unit of Redis's Tcl test suite against a server that is there already, and tells of each
# `test` on its own. It wraps procedures of the suite; its files stay as they are.
#
#   cd REDIS_SOURCE && tclsh prelude.tcl UNIT EVENTS DEPTH --host HOST --port PORT [suite options]
#
# EVENTS  a file that gets a line for each event: kind, milliseconds, tags, name, detail, between
#         tabs. Kinds: start, ok, err (of a test), note (an error outside of one), fatal.
# DEPTH   how many levels of blocks tagged external:skip are run all the same: 0, 1 or 2.

namespace eval unit {
    variable depth 0
    variable forced 0       ;# within a block that is run all the same
    variable running 0      ;# within a test
    variable outcome {}     ;# kind and detail, of the test that is running
    variable settings {}    ;# CONFIG as it was set last
    variable changed {}     ;# CONFIG SETs of the test that is running
}
set argv [lassign $argv unit::name unit::path unit::depth]
# As a "client" the suite calls test_client_main, which is replaced below.
lappend argv --durable --client 0
set test_server_fd ""

proc unit::tell {kind name {ms 0} {tags ""} {detail ""}} {
    variable events
    set fields [list $kind $ms $tags $name [string range $detail 0 1500]]
    puts $events [join [lmap field $fields {
        string map {\\ \\\\ \n \\n \t \\t \r \\r} $field
    }] \t]
}

# Statement by statement: an error outside of a test costs that statement, not the whole file.
proc unit::body {script} {
    if {$::unit::running} {return [uplevel 1 $script]}
    set statement ""
    foreach line [split $script \n] {
        append statement $line \n
        if {![info complete $statement]} continue
        set code [catch {uplevel 1 $statement} result]
        if {$code == 1} {unit::tell note "outside of a test: [lindex [split $result \n] 0]"}
        if {$code > 1} {return -code $code $result}
        set statement ""
    }
}

proc unit::test {name code args} {
    set before $::redis::id
    set started [clock milliseconds]
    set ::unit::changed {}
    set ::unit::outcome {}
    set ::unit::running 1
    tell start $name
    set failed [catch {uplevel 1 [list ::unit::suite_test $name $code {*}$args]} error]
    set ::unit::running 0
    lassign $::unit::outcome kind detail
    if {$failed || $kind eq ""} {
        set kind err
        set detail $error
    }
    if {$kind ni {ok err}} return
    if {$kind eq "ok"} {set detail ""}
    set tags [concat $::tags [lindex $args 1]]
    tell $kind $name [expr {[clock milliseconds] - $started}] $tags $detail
    if {$kind eq "ok"} {
        set ::unit::settings [dict merge $::unit::settings $::unit::changed]
    } else {
        cleanUp $before
    }
}

# Behind a failure: closes the clients of the test, takes a new main one, undoes its CONFIG SETs.
proc unit::cleanUp {before} {
    set last $::redis::id
    ready
    for {set level 0} {$level > -[llength $::servers]} {incr level -1} {
        set server [lindex $::servers end+$level]
        catch {[dict get $server client] close}
        dict unset server client
        lset ::servers end+$level $server
        if {[catch {reconnect $level} error]} {tell note "cannot reconnect: $error"}
    }
    for {set id [expr {$before + 1}]} {$id <= $last} {incr id} {
        if {[info exists ::redis::fd($id)]} {catch {::redis::redisHandle$id close}}
    }
    foreach key [dict keys $::unit::changed] {
        if {[dict exists $::unit::settings $key]} {r config set $key [dict get $::unit::settings $key]}
    }
}

# Whether a new connection is answered within five seconds, after whatever may hold it up is ended.
proc unit::answers {} {
    set last ""
    catch {
        set channel [socket $::host $::port]
        fconfigure $channel -translation binary
        foreach command {{CLIENT UNPAUSE} {SCRIPT KILL} {FUNCTION KILL} PING} {
            puts -nonewline $channel "*[llength $command]\r\n"
            foreach word $command {puts -nonewline $channel "\$[string length $word]\r\n$word\r\n"}
        }
        flush $channel
        fconfigure $channel -blocking 0
        set until [expr {[clock milliseconds] + 5000}]
        for {set lines 0} {$lines < 4 && [clock milliseconds] < $until && ![eof $channel]} {after 2} {
            while {[gets $channel line] >= 0} {if {[incr lines] == 4} {set last $line}}
        }
    }
    catch {close $channel}
    return [expr {$last ne "" && ![string match -BUSY* $last]}]
}

proc unit::ready {} {
    foreach attempt {1 2 3 4} {
        if {[answers]} return
        after 3000
    }
    tell fatal "the server does not answer"
    exit 1
}

proc unit::dispatch {id method args} {
    set code [catch {::redis::suite_dispatch $id $method {*}$args} result]
    if {[string equal -nocase $method config] && [string equal -nocase [lindex $args 0] set]} {
        set kept [expr {$::unit::running ? "changed" : "settings"}]
        foreach {key value} [lrange $args 1 end] {dict set ::unit::$kept $key $value}
    }
    if {$code == 1 && !$::unit::running} {
        unit::tell note "[string range "$method $args" 0 80]: $result"
        return {}
    }
    return -code $code $result
}

proc unit::allSettings {} {
    set settings {}
    catch {
        set client [redis $::host $::port]
        set settings [dict create {*}[$client config get *]]
        $client close
    }
    return $settings
}

# A block of start_server. Within one that is run all the same no second server is to be had.
proc unit::block {code overrides} {
    set isForced [expr {"external:skip" in $::tags}]
    set ::tags [string map {external:skip external:forced} $::tags]
    if {!$::unit::running} {
        set ::unit::settings [allSettings]
        # Such tests expect a client that has not logged in.
        if {[dict exists $overrides requirepass]} {reconnect}
    }
    set ::unit::forced $isForced
    uplevel 1 [list ::unit::body $code]
    set ::unit::forced 0
}

proc unit::acceptable {tags error_name} {
    upvar 1 $error_name error
    if {$::unit::depth && ![llength $::servers]} {
        set tags [lsearch -all -inline -not -exact $tags external:skip]
    }
    ::unit::suite_tags_acceptable $tags error
}

# These two stand in for the suite's own.
proc send_data_packet {channel kind data {elapsed 0}} {
    if {$::unit::running} {
        set isOutcome [expr {$kind in {ok err skip ignore}}]
        if {$isOutcome && [lindex $::unit::outcome 0] ne "err"} {
            set ::unit::outcome [list $kind $data]
        }
    } elseif {$kind eq "err"} {
        unit::tell note "outside of a test" 0 "" $data
    }
}
proc test_client_main {port} {
    rename ::proc ""
    rename ::unit::proc ::proc
    rename ::test ::unit::suite_test
    interp alias {} ::test {} ::unit::test
    rename ::tags_acceptable ::unit::suite_tags_acceptable
    interp alias {} ::tags_acceptable {} ::unit::acceptable
    rename ::redis::__dispatch__ ::redis::suite_dispatch
    interp alias {} ::redis::__dispatch__ {} ::unit::dispatch
    rename ::tags ::unit::suite_tags
    proc ::tags {tags code} {uplevel 1 [list ::unit::suite_tags $tags [list ::unit::body $code]]}
    rename ::run_external_server_test ::unit::suite_external
    proc ::run_external_server_test {code overrides} {
        if {$::unit::forced && $::unit::depth < 2} return
        uplevel 1 [list ::unit::suite_external [list ::unit::block $code $overrides] $overrides]
    }
    set ::unit::events [open $::unit::path a]
    fconfigure $::unit::events -encoding utf-8 -translation lf -buffering line
    set ::curfile tests/$::unit::name.tcl
    unit::ready
    unit::main
    exit 0
}
proc unit::text {path} {
    set channel [open $path]
    set text [read $channel]
    close $channel
    return $text
}
# The unit's variables live in this procedure, which therefore has none of its own.
proc unit::main {} {unit::body [unit::text $::curfile]}

rename ::proc ::unit::proc
unit::proc ::proc {name args code} {
    if {$name ni {send_data_packet test_client_main}} {
        uplevel 1 [list ::unit::proc $name $args $code]
    }
}
source tests/test_helper.tcl
