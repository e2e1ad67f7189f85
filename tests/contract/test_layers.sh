#!/bin/bash
# SPDX-License-Identifier: MIT
# The rooms' arrows (make check-layers) as a contract case; the script also checks itself.
if out=$("$(dirname "$0")/../check_layers.sh" 2>&1); then
	echo "ok layers_go_one_way"
else
	echo "not ok layers_go_one_way: ${out//$'\n'/ | }"
	exit 1
fi
