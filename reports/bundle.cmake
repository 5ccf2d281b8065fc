# Lays out the folder that the report is rendered from: the template and the style as they are, the
# page's scripts in one file, the drawing libraries in another, the charts in a folder.
# cmake -D SOURCE=<reports> -D MODULES=<node_modules> -D DESTINATION=<folder> -P bundle.cmake

# Joins files as they are. Nothing inside may end the script element that they will stand in.
function(join_files destination)
  execute_process(COMMAND ${CMAKE_COMMAND} -E cat ${ARGN}
    OUTPUT_FILE ${destination} RESULT_VARIABLE result)
  if(result)
    message(FATAL_ERROR "cannot write ${destination}")
  endif()
  file(STRINGS ${destination} closing REGEX "</[sS][cC][rR][iI][pP][tT]|<!--")
  if(closing)
    message(FATAL_ERROR "${destination} holds a tag that would end its script element")
  endif()
endfunction()

file(REMOVE_RECURSE ${DESTINATION})
file(GLOB charts ${SOURCE}/charts/*.vl.json)
file(COPY ${charts} DESTINATION ${DESTINATION}/charts)
file(COPY ${SOURCE}/live DESTINATION ${DESTINATION})
file(COPY ${SOURCE}/template.html ${SOURCE}/style.css
  ${SOURCE}/../calibration/cross_validation.csv
  ${SOURCE}/../calibration/validation.csv ${SOURCE}/../calibration/validation.svg
  DESTINATION ${DESTINATION})
set(scripts state theme points contours links loads plans decisions charts table pictures main)
list(TRANSFORM scripts REPLACE "(.+)" "${SOURCE}/scripts/\\1.js")
join_files(${DESTINATION}/page.js ${scripts})
set(libraries vega vega-lite vega-embed) # in the order in which they need one another
list(TRANSFORM libraries REPLACE "(.+)" "${MODULES}/\\1/build/\\1.min.js")
join_files(${DESTINATION}/libraries.js ${libraries})
