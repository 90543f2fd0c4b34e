#!/bin/sh
# test_recording.sh SIMULATOR FAKE_BOT: records a piped session, looks at the scene, runs it.
set -eu
simulator=$1 bot=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
scene=$folder/recorded.scene

fail() { echo "$1" >&2; cat "$folder/out" "$scene" >&2; exit 1; }

# What was typed before `record` must not matter.
"$simulator" --bot "$bot" prompt >"$folder/out" <<PROMPT || fail "the session failed"
/count
record $scene
/count
/hello who:@bob
click "Again"
select "Pick one" "Two"
/form
type "Name" "Eve"
check "I agree"
submit
/think
complete /find word:da
as bob /secret
/hello times:6
forged /hello
/bad
/chance
record end
PROMPT

for line in 'expect public "request 1"' 'expect button "Again"' 'expect ephemeral "You picked 2"' \
    'expect modal "A form"' 'expect thinking' 'await public "Thought it over"' \
    'expect choices "daily"' 'expect ephemeral "for your eyes"' \
    "expect refused \"option times: '6' is not within the bounds\"" 'expect status 401' \
    'expect violation "data.allowed_mentions: is missing"'; do
    grep -qxF "$line" "$scene" || fail "not in the scene: $line"
done
# It was different when played again.
! grep -q 'Rolled' "$scene" || fail "chance was taken for a rule"
"$simulator" --bot "$bot" scene "$scene" >"$folder/out" || fail "the scene fails"
# A scene is never overwritten.
if echo "record $scene" | "$simulator" --bot "$bot" prompt >"$folder/out"; then fail "overwritten"; fi
grep -q 'exists already' "$folder/out" || fail "no reason is given"
