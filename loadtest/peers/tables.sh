# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# How peers/run.sh writes what it found. Variables in lower case are the script's.

print_results() {
    local name measure floor=
    printf 'machine: %s, Linux %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(uname -r)"
    for name in "${peers[@]}"; do printf '%s: %s\n' "$name" "$(version "$name")"; done
    printf 'anchor: %s; cipher: %s\n' "$ANCHOR" "$CIPHER"
    for name in "${!hand_off[@]}"; do printf 'hand-off: %s: %s\n' "$name" "${hand_off[$name]}"; done | sort
    if [ -s "$work/floor" ]; then
        floor=$(median_of "$work/floor")
        printf 'floor (P-256 sign and verify, X25519): %.1f us, median of %s\n' "$floor" "$ROUNDS"
    fi
    print_columns "$floor"
    print_markdown "$floor"
    [ "${#unequal[@]}" = 0 ] || printf 'unequal work: %s\n' "${unequal[@]}"
}

# A line for each measure and server, with least, greatest and ratios.
print_columns() {
    local floor=$1 measure name peer median least greatest
    printf '\n%-18s %-20s %10s %10s %10s %-10s %8s %8s %9s %8s\n' \
        measure server median least greatest unit '/ floor' '/ nginx' '/ haproxy' '/ envoy'
    for measure in $MEASURES; do
        for name in "${servers[@]}"; do
            [ -s "$work/$measure.$name" ] || continue
            read -r median least greatest < <(spread <"$work/$measure.$name")
            printf '%-18s %-20s %10.1f %10.1f %10.1f %-10s %8s' "$measure" "$name" "$median" "$least" "$greatest" "$(unit_of "$measure")" \
                "$(over_floor "$measure" "$median" "$floor")"
            for peer in nginx haproxy envoy; do printf ' %8s' "$(ratio "$median" "$(median_of "$work/$measure.$peer")")"; done
            printf '\n'
        done
    done
}

# The medians alone, a column for each server.
print_markdown() {
    local floor=$1 measure name median
    printf '\n| |'
    printf ' %s |' "${servers[@]}"
    printf '\n|---|'
    for name in "${servers[@]}"; do printf -- '---|'; done
    printf '\n'
    for measure in $MEASURES; do
        printf '| %s, %s |' "$(title_of "$measure")" "$(unit_of "$measure")"
        for name in "${servers[@]}"; do
            median=$(median_of "$work/$measure.$name")
            printf ' %s |' "${median:+$(printf '%.1f' "$median")}"
        done
        printf '\n'
        case $measure in *handshake) ;; *) continue ;; esac
        printf '| … as a multiple of the floor |'
        for name in "${servers[@]}"; do printf ' %s |' "$(over_floor "$measure" "$(median_of "$work/$measure.$name")" "$floor")"; done
        printf '\n'
    done
    printf '\n'
}

unit_of() {
    case $1 in
    idle) echo bytes ;;
    bulk) echo 'MiB/CPU-s' ;;
    *) echo us ;;
    esac
}

title_of() {
    case $1 in
    handshake) echo 'full handshake with one GET' ;;
    request) echo 'keep-alive GET, answered itself' ;;
    proxied) echo 'keep-alive GET, proxied' ;;
    proxied-handshake) echo 'full handshake with one GET, proxied' ;;
    bulk) echo "proxied answers of $BULK_BYTES bytes" ;;
    idle) echo "idle connection of $IDLE" ;;
    esac
}

# Median, least and greatest of the numbers on standard input.
spread() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)], v[1], v[NR] }'; }
median_of() { [ ! -s "$1" ] || spread <"$1" | cut -d' ' -f1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }
over_floor() {
    case $1 in
    *handshake) ratio "$2" "$3" ;;
    *) echo - ;;
    esac
}
