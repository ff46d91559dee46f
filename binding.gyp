# For node-gyp users: one target that runs the same CMake build as everything
# else. package.json says `gypfile: false`, so npm never runs this by itself.
{
  "targets": [
    {
      "target_name": "infernode",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "Building infernode through CMake",
          "inputs": ["CMakeLists.txt"],
          # Never made, so the action always runs; CMake knows what is current.
          "outputs": ["<(PRODUCT_DIR)/infernode-always"],
          "action": ["node", "tools/setup/gyp-build.mjs", "<(node_root_dir)/include/node"]
        }
      ]
    }
  ]
}
