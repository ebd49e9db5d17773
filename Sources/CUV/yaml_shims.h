// libyaml imports as it is; the header is here so that each module has one.
#pragma once
#include <yaml.h>
