#!/usr/bin/env perl
# A Tasker handler process in Perl, core modules only, written from docs/reference/bridge.md (the § below).
# One thread: a handler that waits returns `after(...)` instead of sleeping, so pings and cancels are heard meanwhile.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_hex);
use Fcntl qw(F_SETFD FD_CLOEXEC);
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(WNOHANG);
use Sys::Hostname;
use Time::HiRes qw(time);

use constant {MAX_FRAME => 16 << 20, ABSOLUTE_MAX => 64 << 20, MAX_HEADER => 65_536, SLOTS => 16};
my $json = JSON::PP->new->utf8->allow_nonref->allow_bignum->max_depth(64);    # integers of any size stay exact

# --- Handlers: what Tasker calls. A handler gets the task's context and the step, and returns its value or dies. ---

my %handlers = (
    'reference.echo' => sub { $_[0] },
    'reference.fail' => sub {
        my ($context) = @_;
        die {kind => 'handler', message => $context->{message} // 'reference failure', code => $context->{error_code},
            retryable => $context->{permanent} ? 0 : 1, retry_after_ms => $context->{retry_after} && 1000 * $context->{retry_after}};
    },
    'reference.sleep' => sub {
        my ($context) = @_;
        return after($context->{ms} // 0, sub { {slept_ms => $context->{ms}} });
    },
    'reference.print' => sub {
        print "printed on stdout\n";
        print STDERR "printed on stderr\n";
        system 'echo printed by a child';
        return {printed => JSON::PP::true};
    },
    'reference.big'       => sub { {text => 'x' x ($_[0]{bytes} // 1024)} },
    'reference.bad_value' => sub { {value => 9**9**9 / 9**9**9} },
    'reference.log'       => sub {
        my ($context, $step) = @_;
        my $count = $context->{count} // 1;
        write_log($step, 'info', "reference log $_") for 1 .. $count;
        write_log($step, 'warn', 'reference log done');
        return {logged => $count + 1};
    },
    'reference.beat' => sub {
        my ($context, $step) = @_;
        my $count = $context->{count} // 1;
        send_frame({type => 'beat', deliveries => [{id => $step->{id}, progress => $_ / $count}]}) for 1 .. $count;
        return {beats => $count};
    },
    'reference.checkpoint' => sub {
        my ($context, $step) = @_;
        my $done = $step->{checkpoint} ? $step->{checkpoint}{cursor} : 0;
        return {yields => $done} if $done >= ($context->{yields} // 2);
        return bless {cursor => $done + 1, items_processed => 10 * ($done + 1)}, 'Yield';
    },
    'reference.spawn' => sub {
        my $pid = fork // die "fork: $!\n";
        exec 'sleep', '600' if !$pid;
        return {pid => $pid};
    },
);

# --- The channel (§1, §2). ---

my ($in, $out) = open_channel($ENV{TASKER_BRIDGE} // '');
my ($buffer, $skip, $max_frame) = ('', 0, 1 << 20);
my (%running, $draining, $terminated);

sub open_channel {
    my ($place) = @_;
    my ($kind, $rest) = (split(/:/, $place, 2), '', '');
    my ($read, $write);
    if ($kind eq 'fd') {
        open $read, '+<&=', $rest or fatal("TASKER_BRIDGE names fd $rest: $!");
    } elsif ($kind eq 'stdio') {
        open $read, '<&', \*STDIN and open $write, '>&', \*STDOUT or fatal("stdio: $!");
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>&', \*STDERR;    # whatever is printed from now on
    } elsif ($kind eq 'unix') {
        $read = IO::Socket::UNIX->new(Peer => $rest) or fatal("$place: $!");
    } elsif ($kind eq 'tcp') {
        $read = IO::Socket::INET->new(PeerAddr => $rest, Proto => 'tcp') or fatal("$place: $!");
        setsockopt $read, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1;
    } else {
        fatal("TASKER_BRIDGE is '$place': this program is started by a Tasker worker");
    }
    for my $handle ($read, $write //= $read) {
        binmode $handle;
        fcntl $handle, F_SETFD, FD_CLOEXEC;    # children must not hold the channel
    }
    STDOUT->autoflush(1);
    return ($read, $write);
}

sub send_frame {
    my ($header, $body) = (@_, '');
    my $text = $json->encode($header);
    my $frame = pack('NN', 4 + length($text) + length($body), length $text) . $text . $body;
    while (length $frame) {
        my $written = syswrite $out, $frame;
        next if !defined $written && $!{EINTR};
        exit 1 if !$written;    # the host is gone
        substr $frame, 0, $written, '';
    }
}

# Frames that are complete, as [header text, body, whether it was over the limit].
sub next_frame {
    if ($skip) {
        my $cut = $skip < length $buffer ? $skip : length $buffer;
        substr $buffer, 0, $cut, '';
        $skip -= $cut;
    }
    return if !length $buffer;
    bad_frame() if ord($buffer) > 4;
    return if length $buffer < 8;
    my ($length, $header_length) = unpack 'NN', $buffer;
    bad_frame() if $length > ABSOLUTE_MAX || !$header_length || $header_length > MAX_HEADER || $header_length > $length - 4;
    if ($length > $max_frame) {
        return if length $buffer < 8 + $header_length;
        my $header = substr $buffer, 8, $header_length;
        $skip = 4 + $length;
        return [$header, '', 1];
    }
    return if length $buffer < 4 + $length;
    my $frame = substr $buffer, 0, 4 + $length, '';
    return [substr($frame, 8, $header_length), substr($frame, 8 + $header_length), 0];
}

sub bad_frame {
    send_frame({type => 'bye', reason => 'not a frame', code => 'bad_frame'});
    fatal('not a frame: ' . join ' ', map { sprintf '%02x', ord } split //, substr $buffer, 0, 64);
}

# Waits for bytes, or for the first timer.
sub fill {
    my ($first) = sort { $a <=> $b } map { $_->{due} // () } values %running;
    my $wait = defined $first ? $first - time : undef;
    my $bits = '';
    vec($bits, fileno $in, 1) = 1;
    return if (defined $wait && $wait <= 0) || select($bits, undef, undef, $wait) < 1;
    my $read = sysread $in, $buffer, 65_536, length $buffer;
    exit 1 if !$read && !$!{EINTR};    # the host is gone: whatever runs is somebody else's now
}

# --- The handshake (§3, §12). ---

sub shake_hands {
    local $SIG{ALRM} = sub { fatal('no handshake within 5 s') };
    alarm 5;
    my $challenge = expect('challenge');
    fatal("the host speaks protocol @{$challenge->{protocols}}, this program 1") if !grep { $_ == 1 } @{$challenge->{protocols}};
    open my $random, '<', '/dev/urandom' or fatal("urandom: $!");
    read $random, my $bytes, 16;
    my ($nonce, $token) = (unpack('H*', $bytes), undef);
    if ($challenge->{auth} eq 'hmac') {
        open my $file, '<', $ENV{TASKER_BRIDGE_TOKEN_FILE} // '' or fatal("TASKER_BRIDGE_TOKEN_FILE: $!");
        ($token) = <$file> =~ /(\S+)/;
    }
    my $hello = {
        type => 'hello', protocol => 1, features => [], language => 'perl', language_version => sprintf('%vd', $^V),
        sdk_version => '0.1.0', worker_id => 'perl-' . hostname() . "-$$", pid => $$, hostname => hostname(), nonce => $nonce,
        max_frame => MAX_FRAME, pools => [{name => 'default', slots => SLOTS}],
        defined $token ? (proof => hmac_sha256_hex("handler$challenge->{nonce}$nonce", $token)) : (),
    };
    send_frame($hello, $json->encode([map { {callable => $_, kind => 'step', pool => 'default'} } sort keys %handlers]));
    my $welcome = expect('welcome');
    fatal('the host did not prove that it knows the token')
        if defined $token && ($welcome->{proof} // '') ne hmac_sha256_hex("host$nonce$challenge->{nonce}", $token);
    $max_frame = $welcome->{max_frame};
    alarm 0;
}

sub expect {
    my ($type) = @_;
    my $frame;
    fill() until $frame = next_frame();
    my $header = eval { $json->decode($frame->[0]) } // {};
    return $header if $header->{type} eq $type;
    fatal("expected `$type`, got `$header->{type}`: " . ($header->{message} // ''));
}

# --- Messages (§4 to §10). ---

my %required = (
    step => [qw(delivery_id callable)], cancel => [qw(delivery_id reason)], ack => ['items'], ping => ['n'], pong => ['n'],
    drain => ['grace_ms'], bye => ['reason'], nack => ['code'], notify => ['seq'],
);

sub take {
    my ($text, $body, $is_too_large) = @{$_[0]};
    my $header = eval { $json->decode($text) };
    return nack('', undef, 'bad_header') if ref $header ne 'HASH' || !defined $header->{type} || ref $header->{type};
    my ($type, $id) = @$header{qw(type delivery_id)};
    return nack($type, $id, 'unsupported') if !$required{$type};
    return nack($type, $id, 'too_large')   if $is_too_large;
    return nack($type, $id, 'missing_field') if grep { !exists $header->{$_} } @{$required{$type}};
    if    ($type eq 'step')   { run($header, $body) }
    elsif ($type eq 'cancel') { cancel($id, $header->{reason}) }
    elsif ($type eq 'ping')   { send_frame({type => 'pong', n => $header->{n}}) }
    elsif ($type eq 'drain')  { $draining = 1 }
    elsif ($type eq 'bye')    { exit 0 }
    elsif ($type eq 'nack')   { print STDERR "the host refused a message: $header->{code} $header->{detail}\n" }
}

sub nack {
    my ($type, $id, $code) = @_;
    send_frame({type => 'nack', ref_type => $type, ref_id => $id, code => $code, detail => $code});
}

sub run {
    my ($header, $body) = @_;
    my $id = $header->{delivery_id};
    my $handler = $handlers{$header->{callable}}
        or return fail($id, 0, {kind => 'handler_not_found', message => "no handler $header->{callable}"});
    my $event = $json->decode($body);
    my $step = {id => $id, correlation_id => $header->{correlation_id}, checkpoint => $event->{workflow_step}{checkpoint}};
    $running{$id} = {started => time};
    answer($id, sub { $handler->($event->{task}{task}{context}, $step) });
}

# The value of a handler that goes on later.
sub after {
    my ($ms, $finish) = @_;
    return bless {due => time + $ms / 1000, finish => $finish}, 'Later';
}

sub answer {
    my ($id, $work) = @_;
    my $value = eval { $work->() };
    my $error = $@;
    my $ms = 1000 * (time - $running{$id}{started});
    return fail($id, $ms, ref $error ? $error : {kind => 'handler', message => $error, retryable => 1}) if $error;
    return $running{$id} = {%{$running{$id}}, %$value} if ref $value eq 'Later';
    return yield($id, $value) if ref $value eq 'Yield';
    my $text = is_json($value) ? eval { $json->encode($value) } : undef;
    return fail($id, $ms, {kind => 'invalid_result', message => 'the result is not JSON'}) if !defined $text;
    return fail($id, $ms, {kind => 'payload_too_large', message => length($text) . ' bytes'})
        if length($text) + MAX_HEADER > $max_frame;
    send_frame({type => 'result', delivery_id => $id, execution_ms => $ms, outcome => 'success', split => length $text}, $text);
    delete $running{$id};
}

sub fail {
    my ($id, $ms, $error) = @_;
    my %given = map { defined $error->{$_} ? ($_ => $error->{$_}) : () } qw(code retry_after_ms);
    send_frame({type => 'error', delivery_id => $id, execution_ms => $ms, error_type => $error->{kind}, kind => $error->{kind},
        message => $error->{message}, retryable => $error->{retryable} ? JSON::PP::true : JSON::PP::false, %given});
    delete $running{$id};
}

sub yield {
    my ($id, $progress) = @_;
    send_frame({type => 'checkpoint', delivery_id => $id, seq => 0, items_processed => $progress->{items_processed},
        yield => JSON::PP::true}, $json->encode({cursor => $progress->{cursor}}));
    delete $running{$id};
}

# JSON::PP would write NaN and Infinity.
sub is_json {
    my ($value) = @_;
    return !grep { !is_json($_) } values %$value if ref $value eq 'HASH';
    return !grep { !is_json($_) } @$value        if ref $value eq 'ARRAY';
    return !defined $value || ref $value || $json->encode($value) !~ /^-?(?:nan|inf)/i;
}

sub cancel {
    my ($id, $reason) = @_;
    return if !$running{$id};    # it has crossed the answer
    my $kind = $reason eq 'timeout' ? 'timeout' : 'cancelled';
    fail($id, 1000 * (time - $running{$id}{started}), {kind => $kind, message => "stopped: $reason", retryable => 1});
}

sub write_log {
    my ($step, $level, $message) = @_;
    my $record = {ts => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime), level => $level, logger => 'perl', message => $message,
        delivery_id => $step->{id}, correlation_id => $step->{correlation_id}, fields => {}};
    send_frame({type => 'log', dropped => 0}, $json->encode([$record]));
}

sub fatal {
    print STDERR "bridge.pl: $_[0]\n";
    exit 1;
}

local $SIG{PIPE} = 'IGNORE';
local $SIG{TERM} = local $SIG{INT} = sub { $terminated = 1 };
shake_hands();
while (1) {
    while (my $frame = next_frame()) { take($frame) }
    answer($_, delete $running{$_}{finish}) for grep { $running{$_}{finish} && $running{$_}{due} <= time } keys %running;
    send_frame({type => 'drain', grace_ms => 25_000, reason => 'SIGTERM'}) if $terminated && !$draining++;
    last if $draining && !%running;
    waitpid -1, WNOHANG;
    fill();
}
send_frame({type => 'bye', reason => 'drained'});
