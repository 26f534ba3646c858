// For tests of this module only: a folder of its own for each test, gone at its end.
#pragma once

#include "base/folder_fixture.h"

namespace stillwatch::replay {

using base::test::Folder;

}  // namespace stillwatch::replay
